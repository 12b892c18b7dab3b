//! avahi-daemon on a host of a lab, with a message bus of its own.

use moorline_tests::netns::{NetLab, Talker};
use std::{fs, path::PathBuf, process::Command, time::Duration};
use tempfile::TempDir;

const BUS_CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=BUS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"#;

const DAEMON_CONFIG: &str = "[server]
host-name=avahi-peer
use-ipv4=yes
use-ipv6=yes
enable-dbus=yes
[wide-area]
enable-wide-area=no
[publish]
publish-workstation=no
publish-hinfo=no
";

/// Its pid file has a fixed place; `ip netns exec` has made a mount namespace, so that this `/run` is seen by nobody else.
const START: &str = r#"mount -t tmpfs run /run && mkdir /run/avahi-daemon && exec avahi-daemon -f "$0" --no-drop-root --no-chroot --no-rlimits --no-proc-title"#;

/// Both processes end when this is dropped.
pub(crate) struct Avahi<'a> {
    lab: &'a NetLab,
    host: usize,
    bus_address: String,
    _daemon: Talker,
    _bus: Talker,
    _folder: TempDir,
}

impl<'a> Avahi<'a> {
    /// Starts both, and waits until the daemon works.
    pub(crate) fn start(lab: &'a NetLab, host: usize) -> Avahi<'a> {
        let folder =
            tempfile::Builder::new().prefix("moorline-avahi-").tempdir().expect("the temporary folder is writable");
        let file = |name: &str, content: &str| -> PathBuf {
            let path = folder.path().join(name);
            fs::write(&path, content).expect("the temporary folder is writable");
            path
        };
        let bus_path = folder.path().join("bus");
        let bus_config = file("bus.conf", &BUS_CONFIG.replace("BUS", &bus_path.to_string_lossy()));
        let daemon_config = file("avahi.conf", DAEMON_CONFIG);

        let mut bus = Talker::start(
            lab.command(host, "dbus-daemon")
                .arg("--nofork")
                .arg("--print-address")
                .arg(format!("--config-file={}", bus_config.display())),
        );
        bus.until("its address", Duration::from_secs(10), |line| line.starts_with("unix:path="));
        let bus_address = format!("unix:path={}", bus_path.display());
        let mut daemon = Talker::start(
            lab.command(host, "sh")
                .arg("-c")
                .arg(START)
                .arg(daemon_config)
                .env("DBUS_SYSTEM_BUS_ADDRESS", &bus_address),
        );
        daemon.until("its readiness", Duration::from_secs(20), |line| line.contains("Server startup complete"));
        Avahi { lab, host, bus_address, _daemon: daemon, _bus: bus, _folder: folder }
    }

    /// A command on its host that will talk to it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.lab.command(self.host, program);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.bus_address);
        command
    }
}
