"""The shop at `/`: server-rendered pages whose shelves are the widget, for a demonstration that people can believe."""
