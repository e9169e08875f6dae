"""What a trained model goes by: its fields, its pairs of fields, one row of a split, a feature's neighbours."""
