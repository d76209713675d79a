"""Writes history.csv: a made-up export of Home Assistant's history, three days of three sensors and a door."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

rng = random.Random(1)
moment = datetime(2026, 1, 5, tzinfo=UTC)
outside, door = 5.0, 0.0
lines = ["entity_id,state,last_changed"]
while moment < datetime(2026, 1, 8, tzinfo=UTC):
    moment += timedelta(seconds=rng.randint(40, 240))
    outside += rng.gauss(0.0, 0.12) + 0.002 * (5.0 - outside)
    name = rng.choice(["sensor.outside", "sensor.flow", "sensor.room", "binary_sensor.door"])
    door = rng.random() < 0.1 if name == "binary_sensor.door" else door
    value = {
        "sensor.outside": f"{outside:.1f}",
        "sensor.flow": f"{42.0 - 0.9 * outside + rng.gauss(0.0, 0.2):.1f}",
        "sensor.room": f"{21.0 + 0.05 * outside - 0.8 * door + rng.gauss(0.0, 0.05):.2f}",
        "binary_sensor.door": "on" if door else "off",
    }[name]
    state = "unavailable" if rng.random() < 0.01 else value
    lines.append(f"{name},{state},{moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}")
Path(__file__).with_name("history.csv").write_text("\n".join(lines) + "\n")
