"""Racing: candidates that cannot win any more are stopped before they have answered every validation item."""
