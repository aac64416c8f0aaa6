"""Compiled mathematics: arrays in, arrays out; no names and no classes."""
