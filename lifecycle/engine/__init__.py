"""Fine-tuning as a library and a program without Django: `python -m lifecycle.engine VERB DIR`.

`spec`, `defaults`, `events`, `diagnosis`, `metrics`, `label_sets`, `tagging`, `spans`, `span_predictions`, `calibration`, `deciding`,
`predictions`, `base`, `artifact` and `warm_client` import neither torch nor transformers, so the web rooms may use them. All else belongs
to the child process.
"""
