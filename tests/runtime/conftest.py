import importlib.util
import sys
from pathlib import Path

# what several test files here use: `streams` has models, `fleets` a board and its bundles, `brokers` a broker
for name in ("streams", "fleets", "brokers"):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
