"""Would it have helped? Label budgets replayed on a cohort that has its labels."""
