"""Django is set up before rooms of the product are loaded; small matrices are multiplied by one thread, since
more would only wait.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lifecycle.settings")
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import django  # noqa: E402

django.setup()
