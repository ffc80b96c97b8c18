"""The commands of `mdal-selector`: options and what they mean. Nothing imports from here."""
