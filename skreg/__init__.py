"""skreg"""
