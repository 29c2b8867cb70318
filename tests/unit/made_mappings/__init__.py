"""Mappings that Lambda's API made."""
