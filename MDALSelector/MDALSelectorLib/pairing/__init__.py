"""Pairing: do the modalities of a case belong together and lie on each other?"""
