import subprocess
import sys

import pytest

resource = pytest.importorskip("resource")

SCRIPT = """
import resource, sys
from kzmitm.errors import UsageError
from kzmitm.netio.descriptors import make_room
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 512))
make_room(10)
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 128
make_room(400)
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 464
try:
    make_room(1000)
except UsageError as exc:
    sys.stdout.write(f"{exc} {exc.hint}")
"""


def test_the_limit_is_raised_as_far_as_the_system_allows():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "need 1064 open files" in done.stdout
    assert "--concurrency 400" in done.stdout
