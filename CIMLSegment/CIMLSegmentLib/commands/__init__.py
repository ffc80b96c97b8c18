"""The commands of `ciml-segmenter`: options and what they mean. Nothing imports from here."""
