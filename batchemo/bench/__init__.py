"""What bounds a scan on this machine, and with which options it is fastest here."""
