"""What scores can tell, over seeds and over rows. It knows no run, no config and no network."""
