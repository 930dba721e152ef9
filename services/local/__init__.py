"""What the ways to run everything on one machine share: child processes, the gateway, the data folder, the demo."""
