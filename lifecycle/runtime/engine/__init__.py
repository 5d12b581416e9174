"""Fine-tuning as a library and a program without Django: `python -m lifecycle.runtime.engine VERB DIR`.

`spec`, `strategy`, `task_types.by_key.settings`, `events`, `diagnosis`, `faults`, `base`, `artifact` and
`warm_client` import neither torch nor transformers, so the web rooms may use them. All else belongs to the
child process.
"""
