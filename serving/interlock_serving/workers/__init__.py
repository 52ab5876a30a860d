"""An endpoint of several processes: started, replaced, and counted as one."""
