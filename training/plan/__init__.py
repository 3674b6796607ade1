"""The bill before the launch: what a stage costs in FLOPs, memory, communication, days and money, on a given number of GPUs."""
