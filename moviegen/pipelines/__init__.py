"""What one can make: each file is a product that loads by `from_pretrained(folder)`."""
