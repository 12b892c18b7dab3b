"""python-zeroconf as the other side: `browse TYPE`, or `publish NAME TYPE PORT key=value...`, until standard input ends."""

import sys

from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf


def say(line: str) -> None:
    print(line, flush=True)


class Listener(ServiceListener):
    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = zc.get_service_info(type_, name, timeout=5000)
        if info is None:
            say(f"UNRESOLVED {name}")
            return
        txt = ",".join(f"{k.decode()}={(v or b'').decode()}" for k, v in sorted(info.properties.items()))
        say(f"FOUND port={info.port} addrs={','.join(sorted(info.parsed_scoped_addresses()))} txt={txt} name={name}")

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        say(f"UPDATED name={name}")

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        say(f"LOST name={name}")


def main() -> None:
    verb, *args = sys.argv[1:]
    zc = Zeroconf(ip_version=IPVersion.V4Only)
    if verb == "browse":
        ServiceBrowser(zc, args[0], Listener())
        say("READY")
        sys.stdin.read()
    else:
        name, type_, addr, port, *txt = args
        info = ServiceInfo(
            type_,
            f"{name}.{type_}",
            port=int(port),
            parsed_addresses=[addr],
            properties=dict(pair.split("=", 1) for pair in txt),
            server="python-peer.local.",
        )
        zc.register_service(info)
        say("READY")
        sys.stdin.read()
        zc.unregister_service(info)
    zc.close()


main()
