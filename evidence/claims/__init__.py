"""An experiment a claim: what is run with each seed, and the rule by which its figures decide the claim."""
