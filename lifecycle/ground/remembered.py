"""The process's cache of computed values. They are Python objects, so they are kept in its memory alone; what
all processes have to know, such as who tried how often, is in Django's default cache, which may be Redis.
"""

from django.core.cache import caches
from django.utils.connection import ConnectionProxy

cache = ConnectionProxy(caches, "process")
