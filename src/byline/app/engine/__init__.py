"""Library calls behind `byline plan`, `byline doctor` and `byline audit`. Plans load torch only to measure a speed."""
