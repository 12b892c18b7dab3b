//! The usual tools, where they are installed: each in the fastest form that a person would still type.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{
    contender::{Case, Contender, DEADLINE, Run, files_below, free_tcp_port},
    process::Process,
};
use crate::tools::present;

/// `rsync` against its daemon: plain text, no encryption.
pub(super) struct Rsync;
/// `curl` from `nginx` over TLS 1.3: encrypted, but nothing is verified beyond that.
pub(super) struct NginxCurl;
/// `tar | nc` to `nc | tar`: the floor, without encryption and without a check.
pub(super) struct TarNc;

impl Contender for Rsync {
    fn name(&self) -> &str {
        "rsync daemon (plain)"
    }

    fn missing(&self) -> Vec<&'static str> {
        absent(&["rsync"])
    }

    fn run(&self, case: &Case, into: &Path, scratch: &Path) -> Result<Run> {
        let port = free_tcp_port()?;
        let config = scratch.join("rsyncd.conf");
        let text = format!(
            "uid = {}\nuse chroot = no\nread only = yes\n[data]\npath = {}\n",
            // Whoever runs the benchmark; by default the daemon would become `nobody`.
            String::from_utf8_lossy(&Command::new("id").arg("-u").output()?.stdout).trim(),
            case.folder.display()
        );
        fs::write(&config, text)?;
        let mut daemon = Command::new("rsync");
        daemon.args(["--daemon", "--no-detach", "--address=127.0.0.1"]);
        daemon.arg(format!("--port={port}")).arg(format!("--config={}", config.display()));
        let mut fetch = Command::new("rsync");
        fetch.args(["-a", "--whole-file"]).arg(format!("rsync://127.0.0.1:{port}/data/")).arg(into);
        measure(&mut daemon, port, &mut fetch)
    }
}

impl Contender for NginxCurl {
    fn name(&self) -> &str {
        "curl from nginx (TLS 1.3)"
    }

    fn missing(&self) -> Vec<&'static str> {
        absent(&["nginx", "curl", "openssl"])
    }

    fn run(&self, case: &Case, into: &Path, scratch: &Path) -> Result<Run> {
        let port = free_tcp_port()?;
        let (certificate, key) = (scratch.join("nginx.crt"), scratch.join("nginx.key"));
        if !certificate.exists() {
            let mut openssl = Command::new("openssl");
            openssl.args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ]);
            openssl.args(["-subj", "/CN=localhost"]).arg("-keyout").arg(&key).arg("-out").arg(&certificate);
            if !openssl.stderr(Stdio::null()).status()?.success() {
                bail!("openssl could not make a certificate");
            }
        }
        let folder = scratch.display();
        let config = scratch.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
            events {{ }}
            http {{
              access_log off; sendfile on; default_type application/octet-stream;
              client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
              uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; keepalive_requests 1000000;
              server {{
                listen 127.0.0.1:{port} ssl; root {root};
                ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
              }}
            }}",
            root = case.folder.display(),
            certificate = certificate.display(),
            key = key.display(),
        );
        fs::write(&config, text)?;
        let mut urls = String::new();
        for file in files_below(&case.folder)? {
            let to = into.join(&file);
            urls += &format!("url=\"https://127.0.0.1:{port}/{}\"\noutput=\"{}\"\n", file.display(), to.display());
        }
        let list = scratch.join("curl.conf");
        fs::write(&list, urls)?;

        let mut nginx = Command::new(if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" });
        nginx.arg("-p").arg(scratch).arg("-e").arg(scratch.join("nginx.log")).arg("-c").arg(&config);
        let mut curl = Command::new("curl");
        curl.args(["--insecure", "--silent", "--fail", "--create-dirs", "--http1.1"]);
        curl.args(["--parallel", "--parallel-max", "8", "--config"]).arg(&list);
        // In parallel, curl shows its progress however silent it is told to be.
        measure(&mut nginx, port, curl.stderr(Stdio::null()))
    }
}

impl Contender for TarNc {
    fn name(&self) -> &str {
        "tar | nc (plain)"
    }

    fn missing(&self) -> Vec<&'static str> {
        absent(&["tar", "nc"])
    }

    fn run(&self, case: &Case, into: &Path, _scratch: &Path) -> Result<Run> {
        let port = free_tcp_port()?;
        // The two kinds of nc disagree on how to listen and how to stop at the end of input.
        let openbsd = Command::new("nc").arg("-h").output().is_ok_and(|output| {
            let help = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&help).contains("OpenBSD")
        });
        let (listen, connect) =
            if openbsd { (format!("-N -l 127.0.0.1 {port}"), "-d") } else { (format!("-q 0 -l -p {port}"), "-q -1") };
        let mut send = Command::new("sh");
        send.arg("-c").arg(format!("tar -C '{}' -cf - . | nc {listen}", case.folder.display()));
        let mut fetch = Command::new("sh");
        fetch.arg("-c").arg(format!("nc {connect} 127.0.0.1 {port} | tar -C '{}' -xf -", into.display()));
        measure(&mut send, port, &mut fetch)
    }
}

/// Starts the server, waits for its port, runs the client to its end.
fn measure(server: &mut Command, port: u16, client: &mut Command) -> Result<Run> {
    let mut server = Process::start(server)?;
    server.listens(port, DEADLINE)?;
    let before = server.so_far()?;
    let receiver = Process::start(client)?.finish(DEADLINE, &mut server)?;
    // A server for one client may have ended with it: then its last reading counts.
    let after = server.so_far().context("the server ended before it could be measured")?;
    Ok(Run { receiver, sender: after - before })
}

fn absent(programs: &[&'static str]) -> Vec<&'static str> {
    programs.iter().copied().filter(|program| !present(program)).collect()
}
