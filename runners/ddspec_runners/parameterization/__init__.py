"""What is learned: images, or patches that decode to images."""
