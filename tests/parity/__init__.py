"""Do our numbers agree with the authors' code? Networks and post-processing against stored outputs of theirs."""
