"""The API actions, a module for each subject; `catalog` lists them all.

A handler takes the World and one Call, raises ApiError for a refusal or returns the fields of `Response`. It
runs under the region's lock and neither blocks nor touches the data plane: what takes time becomes a
Transition.
"""
