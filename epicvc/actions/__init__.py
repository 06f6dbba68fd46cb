"""What a user can ask for. Each service reads both sides, decides, and acts through the one apply."""
