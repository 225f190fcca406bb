"""Endcap: a deep-learning recommender for shops."""
