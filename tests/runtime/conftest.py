import importlib.util
import sys
from pathlib import Path

# `streams` has the models that several test files here use
spec = importlib.util.spec_from_file_location("streams", Path(__file__).with_name("streams.py"))
assert spec is not None
module = importlib.util.module_from_spec(spec)
sys.modules["streams"] = module
spec.loader.exec_module(module)
