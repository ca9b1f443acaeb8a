"""Library calls behind `byline plan`, `byline doctor` and `byline audit`; one file each, none loads torch unasked."""
