"""OpenAI's API for text generation: chat completions and completions, whole and as server-sent events."""
