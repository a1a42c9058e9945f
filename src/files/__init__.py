"""Reading and writing files so that what is there is whole and is what was written."""
