"""What is measured of each subject: a running subject in, figures out."""
