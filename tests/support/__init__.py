"""What tests of several areas share: the guard, made epics, a made application database, and a driver for repos."""
