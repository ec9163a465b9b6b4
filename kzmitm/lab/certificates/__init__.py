"""The certificates of the laboratory: a Web PKI of its own, forging CAs, and how leaves are forged."""
