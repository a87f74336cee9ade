"""What is compared: each subject joins two hosts in its own way."""
