"""Units for systemd: a service with a source, watched and fenced in; nothing that would wait for readings for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .errors import BoardError

FENCE = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0022
"""
OFFLINE = "PrivateNetwork=yes\nIPAddressDeny=any\nRestrictAddressFamilies=AF_UNIX\n"
ONLINE = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n"
HOMES = ("/home/", "/root/")


@dataclass(frozen=True)
class Service:
    """What a unit runs.

    Parameters
    ----------
    name : str
        Of the unit, and of its folders in /var/lib and /run.
    description, folder : str
        `folder` is the board's, with ``current`` in it.
    command : sequence of str
        ``%S`` and ``%t`` stand for /var/lib and /run.
    user : str
        Who runs it where the folder is in a home, which nobody else can read; elsewhere systemd makes a user.
    fifo, socket : str
        A pipe, or a socket that takes connections, that systemd makes and keeps, for standard input; empty: none.
    every : str
        A time such as ``15min``: the command runs and ends, so often; empty: it goes on.
    online : bool
        It needs the network.
    environment : mapping
    """

    name: str
    description: str
    folder: str
    command: Sequence[str]
    user: str
    fifo: str = ""
    socket: str = ""
    every: str = ""
    online: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def units(service: Service) -> dict[str, str]:
    """The units' file names and texts.

    Raises
    ------
    BoardError
        A value does not fit a line of a unit.
    """
    fields = (
        service.name,
        service.description,
        service.folder,
        service.user,
        service.fifo,
        service.socket,
        service.every,
    )
    for value in (*fields, *service.command):
        if any(char < " " for char in value):
            raise BoardError(f"{value!r} has a control character; a unit holds one line per setting")
    if not service.folder.startswith("/") or any(char in service.folder for char in ' "%\\'):
        raise BoardError(f"{service.folder!r} is no folder for a unit: a full path without spaces, quotes and %")
    table = {f"{service.name}.service": _service(service)}
    if service.fifo or service.socket:
        listen = (
            f"ListenFIFO={service.fifo}\nSocketMode=0620"
            if service.fifo
            else f"ListenStream={service.socket}\nSocketMode=0660"
        )
        table[f"{service.name}.socket"] = (
            f"[Unit]\nDescription={service.description}: readings\n\n[Socket]\n"
            f"{listen}\n"
            "FileDescriptorName=readings\nRemoveOnStop=yes\n\n[Install]\nWantedBy=sockets.target\n"
        )
    if service.every:
        table[f"{service.name}.timer"] = (
            f"[Unit]\nDescription={service.description}: every {service.every}\n\n[Timer]\nOnBootSec={service.every}\n"
            f"OnUnitActiveSec={service.every}\nRandomizedDelaySec=10\n\n[Install]\nWantedBy=timers.target\n"
        )
    return table


def _service(service: Service) -> str:
    home = service.folder.startswith(HOMES)
    lines = [f"[Unit]\nDescription={service.description}\n"]
    if service.online:
        lines.append("Wants=network-online.target\nAfter=network-online.target\n")
    lines.append("StartLimitIntervalSec=0\n\n[Service]\n")
    lines.append("Type=oneshot\n" if service.every else "Type=notify\nWatchdogSec=60\nRestart=always\nRestartSec=2\n")
    lines.append(f"User={service.user}\n" if home else "DynamicUser=yes\n")
    lines.append(f"WorkingDirectory={service.folder}/current\n")
    environment = {"EDGE_LASSO_HOME": service.folder, "PYTHONDONTWRITEBYTECODE": "1", **service.environment}
    lines += [f"Environment={_word(f'{name}={value}')}\n" for name, value in environment.items()]
    lines.append(f"StateDirectory=edge-lasso/{service.name}\nRuntimeDirectory=edge-lasso/{service.name}\n")
    lines.append("RuntimeDirectoryPreserve=yes\nMemoryMax=256M\n")
    if service.fifo or service.socket:
        lines.append(f"Sockets={service.name}.socket\nStandardInput=fd:readings\n")
        lines.append(
            f'CacheDirectory=edge-lasso/{service.name}\nEnvironment="EDGE_LASSO_CACHE=%C/edge-lasso/{service.name}"\n'
        )
    lines.append(f"ExecStart={' '.join(map(_word, service.command))}\n")
    if not service.every:
        lines.append("ExecReload=/bin/kill -HUP $MAINPID\n")
    lines += [FENCE, ONLINE if service.online else OFFLINE]
    if not service.every:
        also = f"Also={service.name}.socket" if service.fifo or service.socket else ""
        lines.append(f"\n[Install]\nWantedBy=multi-user.target\n{also}\n")
    return "".join(lines).rstrip() + "\n"


def _word(text: str) -> str:
    """A word of a command line; the specifiers %S and %t stay what they are."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    for specifier in ("S", "t"):
        if text.startswith(f"%{specifier}/"):
            quoted = quoted.replace(f"%%{specifier}/", f"%{specifier}/", 1)
    return f'"{quoted}"'
