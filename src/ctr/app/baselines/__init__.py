"""Models of other libraries on the same prepared splits, scored by the same metrics, as rows beside ours."""
