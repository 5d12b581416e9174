"""The command `lifecycle`: a client of the REST API and of the inference server. It loads neither Django nor
torch.
"""
