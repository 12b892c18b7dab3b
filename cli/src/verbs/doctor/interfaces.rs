//! What the multicast self-test found, interface by interface, and as a whole.

use moorline_runtime::discovery::{InterfaceProbe, Multicast, ProbeReport};
use serde_json::{Value, json};

use super::checks::{Check, Status};
use crate::text;

/// A check an interface, then one for all of them.
pub(super) fn checks(probe: &ProbeReport) -> Vec<Check> {
    let mut checks: Vec<Check> = probe.interfaces.iter().map(interface).collect();
    checks.push(multicast(probe));
    checks
}

fn interface(probe: &InterfaceProbe) -> Check {
    let choice = &probe.choice;
    let name = text::name(&choice.interface.name);
    let addresses: Vec<String> = choice.interface.addrs.iter().map(ToString::to_string).collect();
    let shown = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(" ") };
    let status = match (&probe.multicast, choice.used) {
        (_, false) => Status::Info,
        (Multicast::Heard { .. }, true) => Status::Ok,
        _ => Status::Warning,
    };
    let detail = if choice.used {
        format!("{name} ({shown}): used, {}; {}", choice.why, probe.multicast)
    } else {
        format!("{name} ({shown}): not used, {}", choice.why)
    };
    let (result, after_ms) = match &probe.multicast {
        Multicast::Heard { after } => ("heard", Some(after.as_millis() as u64)),
        Multicast::Silent { .. } => ("silent", None),
        Multicast::Failed { .. } => ("failed", None),
        _ => ("not_tried", None),
    };
    let data = json!({
        "interface": choice.interface.name,
        "addresses": addresses,
        "used": choice.used,
        "why": choice.why,
        "multicast": result,
        "after_ms": after_ms.map_or(Value::Null, Value::from),
    });
    Check::new("interface", status, detail).data(data)
}

fn multicast(probe: &ProbeReport) -> Check {
    let used: Vec<&InterfaceProbe> = probe.interfaces.iter().filter(|probe| probe.choice.used).collect();
    let heard = used.iter().filter(|probe| matches!(probe.multicast, Multicast::Heard { .. })).count();
    let data = json!({ "port": probe.port, "used": used.len(), "heard": heard });
    if used.is_empty() {
        return Check::new("multicast", Status::Bad, "no interface can be used for discovery")
            .advice(
                "Connect to a network. If there is one, name its interface with --interface IFACE; the lines above say why each was\n\
                 left out. --peer ADDR works without discovery.",
            )
            .data(data);
    }
    if heard == 0 {
        return Check::new(
            "multicast",
            Status::Bad,
            "multicast does not come through on any interface: peers cannot find each other",
        )
        .advice(format!(
            "Let UDP port {port} in and out, for example: ufw allow {port}/udp, or firewall-cmd --add-service=mdns.\n\
                 Until then: --peer ADDR on both sides' own addresses works, and is remembered.",
            port = probe.port
        ))
        .data(data);
    }
    if used.iter().all(|probe| probe.choice.interface.loopback) {
        return Check::new(
            "multicast",
            Status::Warning,
            "only this machine itself can be reached: there is no other network",
        )
        .advice("Connect to a network to find others.")
        .data(data);
    }
    let detail = format!(
        "multicast comes back to this machine on {heard} of {} interfaces in use (UDP port {})",
        used.len(),
        probe.port
    );
    let status = if heard == used.len() { Status::Ok } else { Status::Warning };
    Check::new("multicast", status, detail).data(data)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use moorline_runtime::discovery::{Interface, InterfaceChoice};

    use super::*;

    fn probe(name: &str, used: bool, loopback: bool, multicast: Multicast) -> InterfaceProbe {
        let interface = Interface { name: name.to_owned(), up: true, loopback, ..Interface::default() };
        InterfaceProbe { choice: InterfaceChoice { interface, used, why: "a reason".to_owned() }, multicast }
    }

    fn report(interfaces: Vec<InterfaceProbe>) -> ProbeReport {
        ProbeReport { port: 5353, interfaces }
    }

    const HEARD: Multicast = Multicast::Heard { after: Duration::from_millis(3) };
    const SILENT: Multicast = Multicast::Silent { waited: Duration::from_secs(3) };

    #[test]
    fn blocked_multicast_is_bad_and_says_which_port_to_open() {
        let check = multicast(&report(vec![probe("eth0", true, false, SILENT)]));
        assert_eq!(check.status, Status::Bad);
        assert!(check.advice.expect("advice").contains("5353"));
    }

    #[test]
    fn no_usable_interface_is_bad() {
        assert_eq!(multicast(&report(vec![probe("docker0", false, false, Multicast::NotUsed)])).status, Status::Bad);
    }

    #[test]
    fn one_of_two_is_a_warning_and_both_are_fine() {
        let both = report(vec![probe("eth0", true, false, HEARD), probe("wlan0", true, false, HEARD)]);
        assert_eq!(multicast(&both).status, Status::Ok);
        let one = report(vec![probe("eth0", true, false, HEARD), probe("wlan0", true, false, SILENT)]);
        assert_eq!(multicast(&one).status, Status::Warning);
        assert_eq!(checks(&one).len(), 3);
    }

    #[test]
    fn loopback_alone_is_a_warning() {
        assert_eq!(multicast(&report(vec![probe("lo", true, true, HEARD)])).status, Status::Warning);
    }

    #[test]
    fn an_unused_interface_says_why() {
        let check = interface(&probe("docker0", false, false, Multicast::NotUsed));
        assert_eq!(check.status, Status::Info);
        assert!(check.detail.contains("not used, a reason"), "{}", check.detail);
        assert_eq!(check.data["multicast"], "not_tried");
    }
}
