"""The only floor that knows Hydra: it joins data, models and training by configuration."""
