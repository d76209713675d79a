"""Says which Python runs it: name, version, platform."""

import sys

print(sys.implementation.name, ".".join(str(part) for part in sys.implementation.version[:3]), sys.platform)
