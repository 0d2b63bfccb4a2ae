"""The main job on real input: train, deploy, replace, refuse, roll back, kill and heal, with requests all the time."""
