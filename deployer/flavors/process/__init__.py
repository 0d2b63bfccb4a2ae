"""What runs model servers as processes of this machine."""
