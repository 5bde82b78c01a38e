"""CAD: reads studies, identifies their domain, and looks for findings. Imports only the ground."""
