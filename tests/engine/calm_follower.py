"""`python -m tests.engine.calm_follower DIR`: a follower without dropout in its head, so that curves can be
compared.
"""

import os
import sys
from pathlib import Path

from lifecycle.runtime.engine import classifier, follow

classifier.HEAD_DROPOUT = 0.0
os._exit(follow.main(Path(sys.argv[1])))
