"""A package, so that its `conftest` and its helpers do not hide modules of the same names elsewhere."""
