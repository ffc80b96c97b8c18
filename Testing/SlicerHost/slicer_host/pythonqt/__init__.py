"""What PythonQt does between Python and Qt, on top of PySide6.

PythonQt gives Python one wrapper object per Qt object. A name is looked up as property, then as
signal or slot, then as enumerator; whatever else a C++ class has does not exist for Python.
"""
