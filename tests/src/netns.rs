//! A local network in one machine: hosts are network namespaces, joined by a bridge in a namespace of its own.
//!
//! Nothing outside of these namespaces is touched, and they are gone when the [`NetLab`] is dropped, also by a panic. What a
//! killed test left behind is swept up by the next one. Linux, and root, are needed.

mod blocked;
mod talker;

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

pub use talker::Talker;

/// All namespaces begin with this, then the id of the process that made them.
const PREFIX: &str = "moorlab";

/// The interface of each host that leads to the others.
const LAN: &str = "lan0";

/// How long the kernel may take to have all addresses checked for duplicates; 1 to 2 s are usual.
const SETTLE: Duration = Duration::from_secs(20);

/// Hosts `0..n` on one network: `10.77.0.1`, `10.77.0.2` and so on, `fd77::1` and so on, and link-local addresses.
#[derive(Debug)]
pub struct NetLab {
    hosts: Vec<String>,
    switch: String,
}

/// Which hosts there are, and what they speak.
#[derive(Clone, Copy, Debug)]
pub struct LabPlan {
    /// Number of hosts, 1 to 200.
    pub hosts: usize,
    /// Whether they have IPv4 addresses.
    pub ipv4: bool,
    /// Whether they have IPv6 at all.
    pub ipv6: bool,
}

/// Why there is no lab.
#[derive(Debug)]
pub enum LabError {
    /// This user may not make network namespaces.
    NotPermitted(String),
    /// A command failed.
    Command(String),
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabError::NotPermitted(why) => {
                write!(f, "this user may not make network namespaces: run as root, on Linux, with iproute2 ({why})")
            }
            LabError::Command(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LabError {}

/// Whether this user may make network namespaces. If not, it says so on standard error, and a test can only return.
///
/// # Panics
/// In CI (there is an environment variable `CI`), where a test that does not run must not pass.
#[must_use]
pub fn permitted() -> bool {
    let name = fresh_name("try");
    let tried = ip(&["netns", "add", &name]).map(|_| ip(&["netns", "delete", &name]));
    let Err(error) = tried else { return true };
    let error = LabError::NotPermitted(error.to_string());
    assert!(std::env::var_os("CI").is_none(), "{error}");
    eprintln!("notice: nothing was tested, since {error}");
    false
}

impl NetLab {
    /// So many hosts, with IPv4 and IPv6.
    ///
    /// # Panics
    /// When it cannot be built; see [`permitted`] for telling before.
    #[must_use]
    #[track_caller]
    pub fn new(hosts: usize) -> NetLab {
        NetLab::build(LabPlan { hosts, ipv4: true, ipv6: true }).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Builds what is planned, and waits until its addresses can be used.
    ///
    /// # Errors
    /// The right is missing, or something on the way failed; what was built is taken down again.
    pub fn build(plan: LabPlan) -> Result<NetLab, LabError> {
        sweep();
        let switch = fresh_name("switch");
        ip(&["netns", "add", &switch]).map_err(|error| LabError::NotPermitted(error.to_string()))?;
        // From here on, dropping takes down what there is.
        let mut lab = NetLab { hosts: Vec::new(), switch };
        // Without snooping, multicast goes to all ports, as on any plain switch.
        lab.on_switch(&["link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        lab.on_switch(&["link", "set", "br0", "up"])?;
        for host in 0..plan.hosts {
            lab.add_host(host, plan)?;
        }
        lab.settled()?;
        Ok(lab)
    }

    /// The namespace of a host, for `ip netns exec`.
    #[must_use]
    pub fn namespace(&self, host: usize) -> &str {
        &self.hosts[host]
    }

    /// The interface of a host that leads to the others.
    #[must_use]
    pub fn interface(&self, _host: usize) -> &str {
        LAN
    }

    /// The IPv4 address of a host, if the plan has any.
    #[must_use]
    pub fn ipv4(&self, host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, number(host))
    }

    /// The IPv6 address of a host that is valid on the whole network, if the plan has any.
    #[must_use]
    pub fn ipv6(&self, host: usize) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number(host).into())
    }

    /// Runs `ip` on a host: `lab.ip(0, &["link", "set", "lan0", "down"])`. Answers what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ip(&self, host: usize, args: &[&str]) -> String {
        ip_in(&self.hosts[host], args).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Switches an interface of a host on or off, as `ip link set` does. Off, it loses its IPv6 addresses.
    ///
    /// # Panics
    /// When there is no such interface.
    #[track_caller]
    pub fn set_link(&self, host: usize, interface: &str, up: bool) {
        self.ip(host, &["link", "set", interface, if up { "up" } else { "down" }]);
    }

    /// Pulls the cable of a host out of the switch, or plugs it in again: the interface keeps its addresses, and loses its carrier.
    ///
    /// # Panics
    /// When the kernel refuses.
    #[track_caller]
    pub fn set_cable(&self, host: usize, plugged: bool) {
        let port = port(host);
        self.on_switch(&["link", "set", &port, if plugged { "up" } else { "down" }])
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Joins two hosts by another cable, on an interface called `name` on both, with link-local addresses only.
    ///
    /// # Panics
    /// When there is one by that name.
    #[track_caller]
    pub fn add_cable(&self, a: usize, b: usize, name: &str) {
        let other = self.hosts[b].as_str();
        self.ip(a, &["link", "add", name, "type", "veth", "peer", "name", name, "netns", other]);
        for host in [a, b] {
            self.ip(host, &["link", "set", name, "up"]);
        }
        self.settled().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Adds an interface `spare0` that has an address and is down.
    ///
    /// # Panics
    /// When there is one by that name.
    #[track_caller]
    pub fn add_down_interface(&self, host: usize) {
        self.ip(host, &["link", "add", "spare0", "type", "veth", "peer", "name", "spare1"]);
        self.ip(host, &["address", "add", "10.99.0.1/24", "dev", "spare0"]);
    }

    /// Adds a bridge `docker0` as Docker makes it: with the same address on every host, up, with a container's port, leading nowhere.
    ///
    /// # Panics
    /// When there is one by that name.
    #[track_caller]
    pub fn add_dead_bridge(&self, host: usize) {
        self.ip(host, &["link", "add", "docker0", "type", "bridge"]);
        self.ip(host, &["address", "add", "172.17.0.1/16", "dev", "docker0"]);
        self.ip(host, &["link", "add", "veth0a", "type", "veth", "peer", "name", "veth0b"]);
        for args in [&["master", "docker0"][..], &["up"]] {
            self.ip(host, &[&["link", "set", "veth0a"], args].concat());
        }
        self.ip(host, &["link", "set", "veth0b", "up"]);
        self.ip(host, &["link", "set", "docker0", "up"]);
    }

    /// How many bytes a host has sent to the others since the lab was built.
    ///
    /// # Panics
    /// When the kernel does not say.
    #[must_use]
    #[track_caller]
    pub fn sent_bytes(&self, host: usize) -> u64 {
        let path = format!("/sys/class/net/{LAN}/statistics/tx_bytes");
        let output = self.command(host, "cat").arg(path).output().expect("ip can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().unwrap_or_else(|_| panic!("no number of bytes: {output:?}"))
    }

    /// All addresses that a host has on an interface.
    ///
    /// # Panics
    /// When there is no such interface.
    #[must_use]
    #[track_caller]
    pub fn addresses(&self, host: usize, interface: &str) -> Vec<IpAddr> {
        let text = self.ip(host, &["-oneline", "address", "show", "dev", interface]);
        let fields = text.lines().filter_map(|line| line.split_whitespace().nth(3));
        fields.filter_map(|addr| addr.split('/').next()?.parse().ok()).collect()
    }

    /// The number of a host's interface, which is the scope of link-local addresses seen there.
    ///
    /// # Panics
    /// When there is no such interface.
    #[must_use]
    #[track_caller]
    pub fn index(&self, host: usize, interface: &str) -> u32 {
        let text = self.ip(host, &["-oneline", "link", "show", "dev", interface]);
        text.split(':').next().and_then(|index| index.parse().ok()).unwrap_or_else(|| panic!("no index: {text}"))
    }

    /// A command that will run on a host. The process is the command's own, not a wrapper.
    #[must_use]
    pub fn command(&self, host: usize, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.hosts[host]]).arg(program.as_ref());
        command
    }

    /// Waits until no address is being checked for duplicates any more.
    ///
    /// # Errors
    /// It takes far longer than it may.
    pub fn settled(&self) -> Result<(), LabError> {
        let until = Instant::now() + SETTLE;
        for host in &self.hosts {
            while !ip_in(host, &["-6", "address", "show", "tentative"])?.trim().is_empty() {
                if Instant::now() > until {
                    return Err(LabError::Command(format!(
                        "addresses of {host} are still being checked after {SETTLE:?}"
                    )));
                }
                // The kernel tells nobody.
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn add_host(&mut self, host: usize, plan: LabPlan) -> Result<(), LabError> {
        let name = fresh_name(&format!("host{host}"));
        ip(&["netns", "add", &name])?;
        self.hosts.push(name.clone());
        if !plan.ipv6 {
            let script = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6";
            ip(&["netns", "exec", &name, "sh", "-c", script])?;
        }
        ip_in(&name, &["link", "set", "lo", "up"])?;
        let port = port(host);
        ip_in(&name, &["link", "add", LAN, "type", "veth", "peer", "name", &port, "netns", &self.switch])?;
        self.on_switch(&["link", "set", &port, "master", "br0", "up"])?;
        if plan.ipv4 {
            ip_in(&name, &["address", "add", &format!("{}/24", self.ipv4(host)), "dev", LAN])?;
        }
        if plan.ipv6 {
            ip_in(&name, &["address", "add", &format!("{}/64", self.ipv6(host)), "dev", LAN])?;
        }
        ip_in(&name, &["link", "set", LAN, "up"])?;
        Ok(())
    }

    fn on_switch(&self, args: &[&str]) -> Result<String, LabError> {
        ip_in(&self.switch, args)
    }
}

impl Drop for NetLab {
    fn drop(&mut self) {
        self.hosts.iter().for_each(|host| take_down(host));
        take_down(&self.switch);
    }
}

fn number(host: usize) -> u8 {
    u8::try_from(host + 1).expect("a lab has at most 200 hosts")
}

fn port(host: usize) -> String {
    format!("port{host}")
}

fn fresh_name(role: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}-{}-{}-{role}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn ip_in(namespace: &str, args: &[&str]) -> Result<String, LabError> {
    ip(&[&["-netns", namespace], args].concat())
}

fn ip(args: &[&str]) -> Result<String, LabError> {
    let failed = |why: String| LabError::Command(format!("ip {}: {why}", args.join(" ")));
    let output =
        Command::new("ip").args(args).stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(failed(account(&output))) }
}

fn account(output: &Output) -> String {
    format!("{} {}", output.status, text(&output.stderr).trim())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends what runs in a namespace of ours, and removes it. Nobody is there to be told of a failure: the next sweep tries again.
fn take_down(namespace: &str) {
    if let Ok(pids) = ip(&["netns", "pids", namespace]) {
        for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    let _ = ip(&["netns", "delete", namespace]);
}

/// Takes down the namespaces of processes that are no more: a test that was killed had no time to.
fn sweep() {
    let Ok(list) = ip(&["netns", "list"]) else { return };
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1)?.parse::<u32>().ok());
        if owner.is_some_and(|pid| fs::metadata(format!("/proc/{pid}")).is_err()) {
            take_down(name);
        }
    }
}
