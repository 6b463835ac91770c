"""All image systems on one data set at one budget of processor time, beside honest baselines."""
